"""Exercise or idle: where sets begin and end in a continuous recording, without a tap."""
