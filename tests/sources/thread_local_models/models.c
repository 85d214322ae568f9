// The second unit of thread_local_models.c.
#include "models.h"

__thread int initial_exec = 11;
__thread int local_dynamic __attribute__((tls_model("local-dynamic"))) = 12;
__thread int general_dynamic __attribute__((tls_model("global-dynamic"))) = 13;
__attribute__((visibility("hidden"))) __thread int hidden_one = 6;

static __thread int common;
int second_common(int x) { return common += x; }
