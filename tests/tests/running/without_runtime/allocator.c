#include <stddef.h>
static _Alignas(16) char heap[1 << 20];
static size_t used;
void *take(size_t size) { void *block = heap + used; used += (size + 31) & ~(size_t)15; return block; }
void *malloc(size_t size) { return take(size); }
void free(void *block) { (void)block; }
void *calloc(size_t n, size_t size) { return take(n * size); }
void *realloc(void *old, size_t size) { (void)old; return take(size); }
int main(void) { return malloc(1) == 0; }
