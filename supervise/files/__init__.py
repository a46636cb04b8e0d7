"""Files that come in: kept encrypted, read by a confined child process, mapped by column, staged row by row."""
