// The other file of gc_sections.c.
int kept_data = 6;
int dropped_data = 7;
static int in_table(int x) { return x + 1; }
int (*const kept_table[])(int) = {in_table};

int kept(int x) { return x + 1; }
int dropped(int x) { return x + dropped_data; }
int dropped_too(int x) { return dropped(x); }
