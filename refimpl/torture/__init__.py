"""Real server processes under kill -9, stops, partitions and bad disks, and a judge of what their clients saw."""
