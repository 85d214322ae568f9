struct number {
    int used, size;
};
void set(struct number *into, const struct number *from) { *into = *from; }
