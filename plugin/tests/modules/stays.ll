; What stays: constructors, allocators, naked functions, sections of their own, resolvers of indirect functions,
; assembly that defines symbols.
source_filename = "stays.c"
target triple = "x86_64-pc-linux-gnu"
@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 65535, ptr @constructor, ptr null }]
@indirect = ifunc void (), ptr @resolver

define internal void @constructor() { call void @lazy_local() ret void }
define internal ptr @resolver() { ret ptr @lazy }
define void @lazy() { call void @indirect() ret void }
define internal void @lazy_local() { ret void }
define void @bare() naked { call void asm sideeffect "ret", ""() unreachable }
define void @placed() section ".special" { ret void }
define ptr @malloc(i64 %size) { ret ptr null }
define ptr @_Znwm(i64 %size) { ret ptr null }
define void @assembly() { call void asm sideeffect ".globl made\0Amade:", ""() ret void }
define void @plain_assembly() { call void asm sideeffect "nop", ""() ret void }
