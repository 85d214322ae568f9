; A body reaches a thread-local variable through a getter that stays.
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
declare ptr @llvm.threadlocal.address.p0(ptr)
