//! What dladdr, backtrace_symbols and dl_iterate_phdr say of functions: of the program, of a library, inline ones.
//# library: names_library.cpp
//# link: -rdynamic
//# prints: outer at outer in program: 1
//# prints: inline_one<int>() in program: 1
//# prints: local has no name
//# prints: in_library at in_library in libnames_library.so: 1
//# prints: callback < in_library < outer < main
//# prints: written callback < in_library < outer < main
//# prints: from a handler: handler callback
//# prints: objects around the caller: 1
//# prints: first object is the program: 1
//# prints: nowhere 0
//# lazy: outer callback
//# stats: compiled >= 6
#include <csignal>
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unistd.h>

extern "C" void in_library(void (*call)());

template <class T> __attribute__((noinline)) T inline_one() { return T(1); }

// The name in front of each offset, as far as main.
static std::string names(char **lines, int count) {
  std::string all;
  for (int i = 0; i < count; i++) {
    const char *open = strchr(lines[i], '('), *plus = open ? strchr(open, '+') : nullptr;
    if (!plus || plus == open + 1)
      continue;
    std::string name(open + 1, plus);
    all += (all.empty() ? "" : " < ") + name;
    if (name == "main")
      break;
  }
  return all;
}

static const char *file(const Dl_info &info) {
  const char *slash = strrchr(info.dli_fname, '/');
  return slash ? slash + 1 : info.dli_fname;
}

static void tell(const char *what, void *function) {
  Dl_info info;
  link_map *map = nullptr;
  if (!dladdr(function, &info) || !info.dli_sname) {
    printf("%s has no name\n", what);
    return;
  }
  int status;
  char *name = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
  Dl_info again;
  dladdr1(function, &again, (void **)&map, RTLD_DL_LINKMAP);
  printf("%s at %s in %s: %d\n", what, strcmp(what, "one") ? info.dli_sname : name, file(info),
         info.dli_saddr == function && again.dli_saddr == function && map->l_ld != nullptr);
  if (name)
    printf("%s in %s: %d\n", name + strcspn(name, " ") + 1, file(info), info.dli_saddr == function);
  free(name);
}

// What a handler for crashes does: no memory is allocated.
extern "C" void handler(int) {
  void *frames[16];
  int count = backtrace(frames, 16), pipes[2];
  if (pipe(pipes))
    return;
  backtrace_symbols_fd(frames, count, pipes[1]);
  close(pipes[1]);
  static char text[16384];
  for (ssize_t used = 0, got; (got = read(pipes[0], text + used, sizeof text - 1 - used)) > 0;)
    used += got;
  close(pipes[0]);
  printf("from a handler:%s%s\n", strstr(text, "(handler+") ? " handler" : "",
         strstr(text, "(callback+") ? " callback" : "");
}

struct Search {
  const void *address;
  int around;
  int objects;
  int first_is_program;
};

static int visit(dl_phdr_info *info, size_t, void *data) {
  Search *search = (Search *)data;
  if (search->objects++ == 0)
    search->first_is_program = info->dlpi_name[0] == 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) &header = info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && (uintptr_t)search->address - start < header.p_memsz)
      search->around++;
  }
  return 0;
}

extern "C" __attribute__((noinline)) void callback() {
  void *frames[16];
  int count = backtrace(frames, 16);
  char **lines = backtrace_symbols(frames, count);
  printf("%s\n", names(lines, count).c_str());
  free(lines);

  FILE *into = tmpfile();
  backtrace_symbols_fd(frames, count, fileno(into));
  lseek(fileno(into), 0, SEEK_SET);
  static char text[16][4096];
  char *pointers[16];
  int read = 0;
  while (read < count && fgets(text[read], sizeof text[read], into)) {
    pointers[read] = text[read];
    read++;
  }
  printf("written %s\n", names(pointers, read).c_str());
  fclose(into);

  signal(SIGUSR1, handler);
  raise(SIGUSR1);

  Search search = {__builtin_return_address(0), 0, 0, 0};
  dl_iterate_phdr(visit, &search);
  printf("objects around the caller: %d\n", search.around);
  printf("first object is the program: %d\n", search.first_is_program);
}

extern "C" __attribute__((noinline)) void outer() {
  in_library(callback);
  asm volatile("");
}

__attribute__((noinline)) static void local() { asm volatile(""); }

int main() {
  tell("outer", (void *)outer);
  tell("one", (void *)inline_one<int>);
  tell("local", (void *)local);
  tell("in_library", (void *)in_library);
  outer();
  // And again, when everything is compiled.
  tell("outer", (void *)outer);
  tell("one", (void *)inline_one<int>);
  local();
  tell("local", (void *)local);
  Dl_info info;
  printf("nowhere %d\n", dladdr((void *)16, &info));
  return inline_one<int>() - 1;
}
