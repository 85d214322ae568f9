// Pulled in by main.
int also_used(int);
int used(int x) { return also_used(x) + x; }
