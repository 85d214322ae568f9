struct large { char bytes[500]; };
void copy(struct large *to, const struct large *from) { *to = *from; }
int helper(int x) { return x + 1; }
