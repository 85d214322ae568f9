// The standard library of GCC, whose templates are compiled lazily with the program: locales, files, ranges, threads.
// (Containers, streams and regular expressions are in tests/packages.)
//# flags: -std=c++20
//# linkers: lld
//# link: -pthread
//# lazy: main _ZN5parts7localesEv _ZN5parts7threadsEv
//# stats: functions >= 300
//# stats: compiled >= 100
//# prints: ranges 9 36 81 144 fig pear
//# prints: locale 1'234'567 ja Q w
//# prints: files a a/b a/b/copy.txt a/file.txt 8 5
//# prints: files error "none" 2
//# prints: vocabulary 4 x 1 1 7 1234 5
//# prints: threads 5050 42 7 kept 1 1
#include "parts.hpp"

int main() { parts::all(); }
