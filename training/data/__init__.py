"""Images, labels, splits, and the chips cut from them."""
