// What jumping.c has for jump_buffers.c.
#pragma once
#include <setjmp.h>
_Noreturn void jump(jmp_buf, int);
void jump_deep(jmp_buf, int depth);
int jump_over(jmp_buf, int);
