"""Recognition protocols on real recordings. They stand on every room of models, nothing on them."""
