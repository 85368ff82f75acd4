"""What the walkthroughs show and check, a walkthrough a file or a folder."""
