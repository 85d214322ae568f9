// Lazy, without a sanitizer.
int helper(int x) { return x + 33; }
