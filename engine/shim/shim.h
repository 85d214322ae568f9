// What LLVM's C API lacks, as C functions for src/shim.rs: a module whose function bodies are read on demand, batches
// of functions taken out of it, and their compilation through ORC. Errors are heap strings for autojit_shim_free_text.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "llvm-c/Types.h"

extern "C" {

// A module that is kept open, with everything that its batches share. One thread at a time.
struct autojit_shim_module;

// How functions are compiled. Layout shared with src/shim.rs.
struct autojit_shim_options {
  uint8_t speed;        // 0 to 3
  uint8_t size;         // 0 to 2
  uint8_t drop_optnone; // the build asked for no optimisation, the user asks for some
  uint8_t verify;       // run LLVM's verifier
  uint8_t full_debug;   // describe types and variables too, as far as the build asked for it
};

// What a function is to its batch. Values shared with src/shim.rs.
enum autojit_shim_role : uint32_t {
  AUTOJIT_SHIM_EXACT = 0,         // the only definition of its name
  AUTOJIT_SHIM_ONE_OF_EQUALS = 1, // one of several equivalent ones: inlined, but nothing else is concluded from it
  AUTOJIT_SHIM_INTERPOSABLE = 2,  // something else may take its place
  AUTOJIT_SHIM_INLINE_ONLY = 3,   // not for the object, only for the inliner
};

// Opens bitcode, which must stay where it is until autojit_shim_close. `build`: the build's options, as the container has
// them. Null with a message on failure.
autojit_shim_module *autojit_shim_open(const char *bitcode, size_t length, const char *name,
                                       const autojit_shim_options *options, const char *build, char **error);
void autojit_shim_close(autojit_shim_module *module);

// The function that the module defines under a name, or null.
LLVMValueRef autojit_shim_find(autojit_shim_module *module, const char *name, size_t length);
// Reads a function's body, if it is not there.
bool autojit_shim_materialize(autojit_shim_module *module, LLVMValueRef function, char **error);

// A materialised function of a batch.
struct autojit_shim_member {
  LLVMValueRef function;
  autojit_shim_role role;
  bool stubbed; // the image has a stub for it
};

// Where a frame has what is live.
struct autojit_shim_location {
  uint32_t value; // arguments, then instructions with results, by number
  bool variable;  // the value is the place's address
  int32_t offset; // from the frame's address
};

// The loop header at which a function is continued, and what is live there. Layout shared with src/shim.rs.
struct autojit_shim_continued {
  uint32_t block;
  const autojit_shim_location *locations;
  size_t count;
  const char *suffix; // of the continuation's name
};

// Compiles functions together, the first of which is what was asked for; whole: with what describes the whole module
// to debuggers; continued: unless null, what is left of the first one from there on. The object, or null with a message.
LLVMMemoryBufferRef autojit_shim_compile(autojit_shim_module *module, const autojit_shim_member *members,
                                         size_t count, bool whole, const autojit_shim_continued *continued,
                                         char **error);

void autojit_shim_free_text(char *text);
// Installs the handler for LLVM's fatal errors, after which it cannot go on.
void autojit_shim_on_fatal(void (*handler)(void *, const char *, bool));

// Installs what operator new calls when there is no memory.
void autojit_shim_on_no_memory(void (*handler)(void));
}
