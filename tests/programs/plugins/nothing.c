// A pass plugin that does nothing, in the place of a later version of ours.
#include <stdint.h>

struct info {
    uint32_t version;
    const char *name, *plugin_version;
    void (*add_passes)(void *);
    void *pre_code_gen;
};

static void add_passes(void *builder) { (void)builder; }

struct info llvmGetPassPluginInfo(void) { return (struct info){2, "nothing", "1", add_passes, 0}; }
