// Pulled in by another member.
int also_used(int x) { return x == 1 ? 2 : x + 1; }
