"""The heart, and pure: what hosts can give, what a profile becomes on them, what the guest will see."""
