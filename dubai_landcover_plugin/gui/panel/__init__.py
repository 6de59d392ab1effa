"""The dock panel Land Cover: classes of the view, teaching with samples, saving the model."""
