"""The only room that imports the Cassandra driver."""
