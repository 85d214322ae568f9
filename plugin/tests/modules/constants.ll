; Constants stay, and bodies find them in the import table, unless no body can observe the address: then they travel.
source_filename = "constants.c"
target triple = "x86_64-pc-linux-gnu"
@.only_body = private unnamed_addr constant [5 x i8] c"body\00"
@.only_data = private unnamed_addr constant [5 x i8] c"data\00"
@.both = private unnamed_addr constant [5 x i8] c"both\00"
@.nested = private unnamed_addr constant [5 x i8] c"nest\00"
@.list = private unnamed_addr constant [2 x ptr] [ptr @.nested, ptr @callback]
@named = internal constant [5 x i8] c"name\00"
@0 = private unnamed_addr constant [5 x i8] c"anon\00"
@data = global [2 x ptr] [ptr @.only_data, ptr @.both]
@.read = private unnamed_addr constant [2 x i32] [i32 1, i32 2]
@.copied = private unnamed_addr constant [2 x i32] [i32 3, i32 4]
@.target = private unnamed_addr constant [2 x i32] [i32 5, i32 6]
@hidden = external hidden global i32
@weak = extern_weak global i32
@common = common global i32 0
@own = dso_local global i32 1

define void @body() {
  call void @use(ptr @.only_body)
  call void @use(ptr @.both)
  call void @use(ptr @.list)
  call void @use(ptr @named)
  call void @use(ptr @0)
  call void @use(ptr @hidden)
  call void @use(ptr @weak)
  call void @use(ptr @common)
  call void @use(ptr @own)
  %local = alloca [2 x i32]
  %one = getelementptr [2 x i32], ptr @.read, i64 0, i64 1
  %value = load i32, ptr %one
  call void @llvm.memcpy.p0.p0.i64(ptr %local, ptr @.copied, i64 8, i1 false)
  call void @llvm.memcpy.p0.p0.i64(ptr @.target, ptr %local, i64 0, i1 false)
  ret void
}
define internal void @callback() { ret void }
declare void @use(ptr)
