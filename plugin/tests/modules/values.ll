; At -O2: bodies get the values of constants, unless another definition may take their place, or the values name what
; has no import.
source_filename = "values.c"
target triple = "x86_64-pc-linux-gnu"
@.text = private unnamed_addr constant [5 x i8] c"text\00"
@table = internal constant [2 x i32] [i32 1, i32 2]
@shared = linkonce_odr dso_local constant i32 7
@replaceable = weak constant i32 8
@interposable = constant i32 9
@pointers = internal constant [2 x ptr] [ptr @known, ptr @.text]
@strangers = internal constant [1 x ptr] [ptr @unknown]
@variable = internal global i32 10
@large = internal constant [16385 x i32] zeroinitializer
@.local = private thread_local unnamed_addr constant i32 11

define i32 @body() {
  call void @use(ptr @.text)
  call void @use(ptr @table)
  call void @use(ptr @shared)
  call void @use(ptr @replaceable)
  call void @use(ptr @interposable)
  call void @use(ptr @pointers)
  call void @use(ptr @strangers)
  call void @use(ptr @variable)
  call void @use(ptr @large)
  call void @known()
  ret i32 0
}
define internal void @known() { ret void }
declare void @unknown()
declare void @use(ptr)
!llvm.module.flags = !{!0, !1}
!0 = !{i32 1, !"SemanticInterposition", i32 1}
!1 = !{i32 8, !"PIC Level", i32 2}
