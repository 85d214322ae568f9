// Not pulled in: main refers to it weakly only.
int unused(int x) { return x; }
