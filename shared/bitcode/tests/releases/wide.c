// A structure whose parts LLVM before 18 has at other places; not -g.
#pragma pack(push, 8)
struct wide { long a; __int128 b; int c; };
#pragma pack(pop)
int last(struct wide *of) { return of->c; }
