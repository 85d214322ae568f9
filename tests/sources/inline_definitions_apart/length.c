// Without set().
struct number {
    int used, size;
};
void length(struct number *into, const struct number *from) {
    into->used = from->used + 1;
    into->size = from->size < 0 ? -from->size : from->size;
}
int checked(struct number *number, int least) { return number->size < least ? number->size : -1; }
