"""What every job does: whom it reads, where its functions run, how it is recorded, what serves."""
