/* A program with a malloc of its own, which uses the engine as the runtime does: the malloc must not be called while
   functions are compiled, and compiling must still work when the process is ending.
   host ENGINE CONTAINER: prints the calls during open and compile, and then compiles again in an exit handler that
   was registered first and in a destructor, which run last. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static _Thread_local unsigned long calls;
static char pool[1 << 24];
static unsigned long used;

void *malloc(size_t size) {
    calls++;
    unsigned long at = __atomic_fetch_add(&used, (size + 31) & ~15UL, __ATOMIC_RELAXED);
    if (at + size + 32 > sizeof pool) abort();
    *(size_t *)(pool + at) = size;
    return pool + at + 16;
}
void free(void *block) { calls += block != 0; }
void *calloc(size_t count, size_t size) { return memset(malloc(count * size), 0, count * size); }
void *realloc(void *old, size_t size) {
    void *block = malloc(size);
    if (old) {
        size_t have = *(size_t *)((char *)old - 16);
        memcpy(block, old, have < size ? have : size);
    }
    return block;
}

struct buffer { const uint8_t *data; size_t len; void *owner; };
struct options { int32_t opt_override; uint32_t batch_limit; bool full_debug; };
struct api {
    uint32_t abi;
    uint8_t build[32];
    uint32_t llvm_major;
    int32_t (*open)(const void *, size_t, const struct options *, void **, struct buffer *);
    int32_t (*compile)(void *, uint32_t, bool, bool (*)(void *, uint32_t), void *, struct buffer *, struct buffer *);
    int32_t (*compile_continuation)(void *, uint32_t, const void *, size_t, struct buffer *, struct buffer *);
    int32_t (*compile_all)(void *, bool (*)(void *, uint32_t), void *, struct buffer *, struct buffer *);
    void (*release)(struct buffer);
    void (*close)(void *);
};

static const struct api *api;
static const void *container;
static size_t container_size;

static bool claim(void *context, uint32_t index) { return (void)context, index != 0; }

static unsigned long compile(void) {
    const struct options options = { -1, 0 };
    void *module;
    struct buffer object, error;
    unsigned long before = calls;
    if (api->open(container, container_size, &options, &module, &error)) exit(3);
    if (api->compile(module, 0, false, claim, 0, &object, &error)) exit(4);
    bool is_elf = !memcmp(object.data, "\177ELF", 4);
    api->release(object);
    api->close(module);
    if (!is_elf) exit(5);
    return calls - before;
}

static void at_exit(void) { printf("exit handler: %lu\n", compile()); fflush(stdout); }
__attribute__((destructor)) static void destructor(void) { printf("destructor: %lu\n", compile()); fflush(stdout); }

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    atexit(at_exit);
    FILE *file = fopen(argv[2], "rb");
    if (!file) return 2;
    fseek(file, 0, SEEK_END);
    container_size = ftell(file);
    container = mmap(0, container_size, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    void *engine = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!engine) return fprintf(stderr, "%s\n", dlerror()), 2;
    api = ((const struct api *(*)(void))dlsym(engine, "__autojit_engine"))();
    printf("first: %lu\n", compile());
    printf("second: %lu\n", compile());
    return 0;
}
