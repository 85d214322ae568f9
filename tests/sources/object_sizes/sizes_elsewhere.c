// The second unit of object_sizes.c.
char elsewhere[4];
