// A program that defines malloc itself: it stays static, and nothing of ours calls it.
//# prints: allocated 3 freed 2
//# prints: before main 0
//# static: malloc free calloc realloc
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Alignas(16) char heap[1 << 20];
static size_t used;
static int allocated, freed, counting;

void *malloc(size_t size) {
    void *result = heap + used;
    used += (size + 31) & ~(size_t)15;
    if (used > sizeof heap) _exit(99);
    allocated += counting;
    return result;
}
void free(void *block) { freed += counting && block; }
void *calloc(size_t count, size_t size) { return memset(malloc(count * size), 0, count * size); }
void *realloc(void *block, size_t size) {
    void *result = malloc(size);
    return block ? memcpy(result, block, size) : result;
}

static void *pass(void *block) { return block; }
static void release(void *block) { free(block); }

int main(void) {
    char line[256];
    int before = allocated;
    counting = 1;
    void *a = pass(malloc(10)), *b = pass(malloc(20)), *c = pass(malloc(30));
    release(a);
    release(b);
    counting = 0;
    int length = snprintf(line, sizeof line, "allocated %d freed %d\nbefore main %d\n", allocated, freed, before);
    return write(1, line, (size_t)length) == length && c ? 0 : 1;
}
