// The stack as libraries see it that look code up by themselves. LLVM's header of libunwind is installed in the place of that of
// the library that is meant, whose functions for the own process have these names.
#include <absl/debugging/symbolize.h>
#include <cstdio>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <ucontext.h>
#include <unistd.h>

// Registers by their DWARF number.
constexpr int UNW_REG_IP = 16;
struct Cursor {
    unsigned long words[127];
};
extern "C" {
int _Ux86_64_getcontext(ucontext_t *);
int _ULx86_64_init_local(Cursor *, ucontext_t *);
int _ULx86_64_step(Cursor *);
int _ULx86_64_get_reg(Cursor *, int, unsigned long *);
int _ULx86_64_get_proc_name(Cursor *, char *, unsigned long, unsigned long *);
}

namespace google {
bool Symbolize(void *pc, char *out, unsigned long size);
}

static void print(const char *reader, int number, const char *name) {
    // The C library's start code has no names in some of them.
    if (number < 3) printf("%s %s\n", reader, name ? name : "?");
}

extern "C" void print_stack() {
    static int once = (absl::InitializeSymbolizer(program_invocation_name), 0);
    (void)once;
    ucontext_t context;
    Cursor cursor;
    _Ux86_64_getcontext(&context);
    _ULx86_64_init_local(&cursor, &context);
    char name[200];
    void *pcs[3] = {};
    for (int i = 0; i < 3 && _ULx86_64_step(&cursor) > 0; i++) {
        unsigned long offset, ip;
        print("libunwind", i, _ULx86_64_get_proc_name(&cursor, name, sizeof name, &offset) == 0 ? name : nullptr);
        _ULx86_64_get_reg(&cursor, UNW_REG_IP, &ip);
        pcs[i] = (void *)(ip - 1);
    }
    for (int i = 0; i < 3; i++)
        print("Abseil", i, absl::Symbolize(pcs[i], name, sizeof name) ? name : nullptr);
    for (int i = 0; i < 3; i++)
        print("glog", i, google::Symbolize(pcs[i], name, sizeof name) ? name : nullptr);
    static char *path;
    static const Dwfl_Callbacks callbacks = {dwfl_linux_proc_find_elf, dwfl_standard_find_debuginfo, nullptr, &path};
    Dwfl *dwfl = dwfl_begin(&callbacks);
    dwfl_linux_proc_report(dwfl, getpid());
    dwfl_report_end(dwfl, nullptr, nullptr);
    for (int i = 0; i < 3; i++) {
        Dwfl_Module *module = dwfl_addrmodule(dwfl, (Dwarf_Addr)pcs[i]);
        print("libdw", i, module ? dwfl_module_addrname(module, (Dwarf_Addr)pcs[i]) : nullptr);
    }
    dwfl_end(dwfl);
}
