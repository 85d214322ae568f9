; Every kind of constant, in bodies and in data: none is taken for something else.
source_filename = "kinds.c"
target triple = "x86_64-pc-linux-gnu"
@variable = internal global i32 1
@table = internal constant [2 x ptr] [ptr @variable, ptr @first]
@structure = internal constant { i32, ptr, <2 x ptr> } { i32 1, ptr @second, <2 x ptr> <ptr @third, ptr null> }
@relative = internal constant i32 trunc (i64 sub (i64 ptrtoint (ptr dso_local_equivalent @equivalent to i64), i64 ptrtoint (ptr @relative to i64)) to i32)
@unchecked = internal constant ptr no_cfi @indirect
@signed = internal constant ptr ptrauth (ptr @authentic, i32 0)
@words = internal constant [2 x i16] [i16 1, i16 2]
@zeros = internal constant [2 x i16] zeroinitializer
@vector = internal constant <2 x i16> <i16 1, i16 2>
@real = internal constant float 1.0
@unknown = internal constant i32 undef
@poisoned = internal constant i32 poison
@nothing = internal constant ptr null
@typed = internal global target("spirv.Event") zeroinitializer
@alias = internal alias i32, ptr @variable
@pointer_to_alias = internal constant ptr @alias
@resolved = internal ifunc void (), ptr @resolver
@pointer_to_resolved = internal constant ptr @resolved

define i32 @body(i1 %choice, i64 %number) personality ptr @personality {
  call void @use(ptr @table)
  call void @use(ptr @structure)
  call void @use(ptr @relative)
  call void @use(ptr @unchecked)
  call void @use(ptr @signed)
  call void @use(ptr @words)
  call void @use(ptr @zeros)
  call void @use(ptr @vector)
  call void @use(ptr @real)
  call void @use(ptr @unknown)
  call void @use(ptr @poisoned)
  call void @use(ptr @nothing)
  call void @use(ptr @typed)
  call void @use(ptr @alias)
  call void @use(ptr @pointer_to_alias)
  call void @use(ptr @resolved)
  call void @use(ptr @pointer_to_resolved)
  call void @use(ptr dso_local_equivalent @equivalent)
  call void @use(ptr no_cfi @indirect)
  call void @use(ptr ptrauth (ptr @authentic, i32 1))
  call void @use(ptr getelementptr (i8, ptr @table, i64 8))
  call void @use(ptr undef)
  call void @use(ptr poison)
  call void @use(ptr null)
  call void asm sideeffect "nop", ""()
  call void @llvm.experimental.noalias.scope.decl(metadata !0)
  indirectbr ptr blockaddress(@body, %end), [label %end]
end:
  ret i32 0
}
define i8 @suspended() presplitcoroutine {
  %result = call i8 @llvm.coro.suspend(token none, i1 false)
  ret i8 %result
}
define internal void @first() { ret void }
define internal void @second() { ret void }
define internal void @third() { ret void }
define internal void @equivalent() { ret void }
define internal void @indirect() { ret void }
define internal void @authentic() { ret void }
define internal ptr @resolver() { ret ptr @first }
declare i32 @personality(...)
declare void @use(ptr)
declare i8 @llvm.coro.suspend(token, i1)
declare void @llvm.experimental.noalias.scope.decl(metadata)
!0 = !{!1}
!1 = distinct !{!1, !2}
!2 = distinct !{!2}
