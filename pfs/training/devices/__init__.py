"""One run on several devices: a process for each, which together compute what one process would."""
