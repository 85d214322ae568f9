// A byte-code interpreter with tables of label addresses: one static, one relative, one label chosen at run time.
//# prints: factorial 3628800
//# prints: relative 12
//# prints: picked 2
//# lazy: run relative
//# refuses: a table of distances between labels
#include <stdio.h>

enum { MULTIPLY, DECREMENT, LOOP, HALT };

long run(const unsigned char *code, long counter) {
    static const void *const labels[] = {&&multiply, &&decrement, &&loop, &&halt};
    const unsigned char *at = code;
    long result = 1;
#define NEXT goto *labels[*at++]
    NEXT;
multiply: result *= counter; NEXT;
decrement: counter--; NEXT;
loop: at = counter ? code : at; NEXT;
halt: return result;
}

int relative(const unsigned char *code) {
    static const int offsets[] = {&&add - &&add, &&twice - &&add, &&stop - &&add};
    int value = 0;
#define JUMP goto *(&&add + offsets[*code++])
    JUMP;
add: value += 3; JUMP;
twice: value *= 2; JUMP;
stop: return value;
}

static int picked(int x) {
    void *where = x > 10 ? &&high : &&low;
    goto *where;
high: return 1;
low: return 2;
}

int main(void) {
    printf("factorial %ld\n", run((const unsigned char[]){MULTIPLY, DECREMENT, LOOP, HALT}, 10));
    printf("relative %d\n", relative((const unsigned char[]){0, 0, 1, 2}));
    printf("picked %d\n", picked(5));
    return 0;
}
