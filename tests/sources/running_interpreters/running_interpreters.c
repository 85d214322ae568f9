// Interpreters with tables of labels, whose code is replaced while they run: by way of one dispatch and of many, nested, with
// a switch beside, with values of many types that wait, left by longjmp; and those that keep labels, from one call to the
// next, in variables, and in the code that they run.
//# sources: thrown.cpp
//# prints: done
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APART __attribute__((noinline))
enum { PUSH, ADD, SUB, DUP, MUL, JNZ, CALL, HALT, OPS };

// Sums up, and calls itself for each CALL.
APART static long many(const signed char *code, long n, int depth) {
    static const void *const table[OPS] = {&&push, &&add, &&sub, &&dup, &&mul, &&jnz, &&call, &&halt};
    long stack[16], *top = stack;
    double weight = depth;
    const signed char *at = code;
    *top = n;
#define NEXT goto *table[*at++]
    NEXT;
push: *++top = *at++, weight += 0.5; NEXT;
add: top--, top[0] += top[1]; NEXT;
sub: top--, top[0] -= top[1]; NEXT;
dup: top[1] = top[0], top++; NEXT;
mul: top--, top[0] = top[0] * top[1] % 1000003; NEXT;
jnz: at += *top ? *at : 1; NEXT;
call: *top = depth ? many(code, *top % 7, depth - 1) + *top : *top; NEXT;
halt: return *stack + (long)weight;
#undef NEXT
}

// One dispatch for all, in a loop with its own counter, and a switch for what is rare.
APART static unsigned one(const unsigned char *code, unsigned rounds) {
    static const void *table[] = {&&plus, &&times, &&rare};
    unsigned sum = 0, before = 1;
    for (unsigned round = 0; round < rounds; round++) {
        const unsigned char *at = code;
        for (;;) {
            unsigned char op = *at++;
            if (op == 9) break;
            goto *table[op > 2 ? 2 : op];
        plus: sum += round ^ before; continue;
        times: sum *= 3; before = sum; continue;
        rare:
            switch (op) {
            case 3: sum ^= 0x55; break;
            case 4: before++; break;
            default: sum--;
            }
        }
    }
    return sum + before;
}

// Which label is next is known a round ahead, across a loop.
APART static int ahead(int n) {
    int sum = 0, i = 0;
    void *next = &&even;
    for (;;) {
        if (i == n) return sum;
        void *now = next;
        next = i % 2 ? &&even : &&odd;
        goto *now;
    even: sum += i++; continue;
    odd: sum -= 2 * i++; continue;
    }
}

// The code that it runs is made of labels, by its first call.
union word { void *label; long value; };
APART static long threaded(union word *code, int n) {
    static void *const table[] = {&&load, &&less, &&again, &&stop};
    if (n < 0) {
        for (int i = 0; i < -n; i++) code[i].label = table[code[i].value];
        return 0;
    }
    long sum = 0, left = n;
    union word *at = code;
    goto *(at++)->label;
load: sum += left * 3; goto *(at++)->label;
less: left--; goto *(at++)->label;
again: if (left > 0) at = code; goto *(at++)->label;
stop: return sum;
}

static jmp_buf out;
APART static void leave(int i) { if (i % 5 == 4) longjmp(out, i); }
APART static int inner(const char *code, int i) {
    static const void *const table[] = {&&count, &&jump, &&end};
    int sum = 0;
    goto *table[(int)*code++];
count: sum += i; goto *table[(int)*code++];
jump: leave(i); goto *table[(int)*code++];
end: return sum;
}

int thrown(void);

int main(void) {
    static const signed char code[] = {DUP, PUSH, 3, MUL, CALL, PUSH, 1, SUB, PUSH, 2, ADD, PUSH, 5, MUL, HALT};
    static const signed char down[] = {PUSH, 1, SUB, JNZ, -4, HALT};
    long sum = 0;
    for (int i = 0; i < 300; i++) sum += many(code, i, 2) + many(down, i + 1, 0);
    sum += many(down, 100000, 0);
    printf("many %ld\n", sum);
    static const unsigned char bytes[] = {0, 1, 3, 0, 4, 7, 1, 0, 9};
    printf("one %u %u\n", one(bytes, 5000), one(bytes, 7));
    printf("ahead %d %d %d\n", ahead(10), ahead(5000), ahead(77));
    union word words[] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    threaded(words, -4);
    for (int i = 0; i < 200; i++) sum += threaded(words, i);
    printf("threaded %ld %ld\n", sum, threaded(words, 30000));
    volatile int left = 0;
    static const char jumps[] = {0, 1, 0, 0, 1, 2};
    for (volatile int i = 0; i < 400; i++) {
        if (setjmp(out)) left++;
        else sum += inner(jumps, i);
    }
    printf("inner %ld %d\n", sum, left);
    printf("thrown %d\n", thrown());
    puts("done");
    return 0;
}
