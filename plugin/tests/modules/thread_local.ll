; A body reaches a thread-local variable, or an alias of one, through a getter that stays.
source_filename = "thread_local.c"
target triple = "x86_64-pc-linux-gnu"
@counter = thread_local global i32 0
@table = internal thread_local global [4 x i32] zeroinitializer

define i32 @next() {
  %address = call ptr @llvm.threadlocal.address.p0(ptr @counter)
  %old = load i32, ptr %address
  %new = add i32 %old, 1
  store i32 %new, ptr %address
  ret i32 %new
}
define i32 @constant_expression() {
  %value = load i32, ptr getelementptr inbounds ([4 x i32], ptr @table, i64 0, i64 1)
  ret i32 %value
}
define i32 @choose(i1 %which) {
entry:
  br i1 %which, label %one, label %two
one:
  br label %two
two:
  %at = phi ptr [ @counter, %entry ], [ getelementptr (i8, ptr @table, i64 8), %one ]
  %value = load i32, ptr %at
  ret i32 %value
}
define { ptr, i64 } @aggregate() {
  ret { ptr, i64 } { ptr @other_name, i64 1 }
}
@other_name = thread_local alias i32, ptr @counter
declare ptr @llvm.threadlocal.address.p0(ptr)
