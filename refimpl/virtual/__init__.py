"""Time, network and machines that exist only in this process, under programs that do not know it."""
