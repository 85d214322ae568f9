// The variables of thread_locals.c in another file.
__thread int in_other_file = 10;
static __thread int hidden = 100;

int next_hidden(int step) {
    hidden += step == 1 && hidden == 100 ? 3 : step * (1 + 2 * (hidden == 100));
    return hidden;
}
