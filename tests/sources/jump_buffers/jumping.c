// The second unit of jump_buffers.c.
#include "jumping.h"

void jump(jmp_buf target, int value) { longjmp(target, value); }
void jump_deep(jmp_buf target, int depth) {
    if (depth) jump_deep(target, depth - 1);
    else jump(target, 9);
    __asm__ volatile("" ::: "memory"); // not a loop
}
int jump_over(jmp_buf target, int value) {
    if (value) jump(target, 2);
    return value;
}
