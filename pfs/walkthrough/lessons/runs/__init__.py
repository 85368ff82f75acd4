"""The walkthroughs about runs: one distils a student while you watch, the other asks what the committed runs show."""
