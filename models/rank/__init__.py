"""Who is followed: PageRank."""
