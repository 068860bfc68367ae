"""What all jobs share: which users are read, engines, run records, leases, promotion."""
