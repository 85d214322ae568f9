struct Packed { char a; long b; };
const char *where() { return WHERE; }
int level() { return LEVEL * 100 + level_of_header + __COUNTER__ + __LINE__; }
int unused() { int nothing; return tool(1) + lambda(2) + local_instance.a + VALUE; }
Base::~Base() {}
#ifdef ELSE
#error wrong branch
#endif
#if __has_include("state.h")
const char *from() { return in_header; }
#endif
