; Frames of many pages that are touched in order, dynamic allocas, barriers, relative loads, computed jumps.
target triple = "x86_64-unknown-linux-gnu"

@table = constant [2 x i32] [i32 100, i32 -7]

define i64 @large(i64 %a, i64 %b) "probe-stack"="inline-asm" {
  %big = alloca [20000 x i8], align 16
  %small = alloca i64
  call void @llvm.memset.p0.i64(ptr %big, i8 7, i64 20000, i1 false)
  store i64 %a, ptr %small
  %at = getelementptr i8, ptr %big, i64 %b
  %x = load i64, ptr %at
  %y = load i64, ptr %small
  call void asm sideeffect "", "r,~{memory}"(ptr %big)
  %sum = add i64 %x, %y
  ret i64 %sum
}

define i64 @dynamic(i64 %n) "probe-stack"="inline-asm" {
  %many = alloca i8, i64 %n, align 64
  call void @llvm.memset.p0.i64(ptr %many, i8 1, i64 %n, i1 false)
  %int = ptrtoint ptr %many to i64
  %low = and i64 %int, 63
  %last = sub i64 %n, 8
  %at = getelementptr i8, ptr %many, i64 %last
  %x = load i64, ptr %at
  %sum = add i64 %x, %low
  ret i64 %sum
}

define i64 @relative(i64 %offset) {
  %at = call ptr @llvm.load.relative.i64(ptr @table, i64 %offset)
  %x = ptrtoint ptr %at to i64
  %y = ptrtoint ptr @table to i64
  %difference = sub i64 %x, %y
  ret i64 %difference
}

define i64 @computed(i64 %n) {
entry:
  %which = urem i64 %n, 3
  %first = icmp eq i64 %which, 0
  %second = icmp eq i64 %which, 1
  %a = select i1 %second, ptr blockaddress(@computed, %two), ptr blockaddress(@computed, %three)
  %b = select i1 %first, ptr blockaddress(@computed, %one), ptr %a
  %kept = mul i64 %n, 5
  indirectbr ptr %b, [label %one, label %two, label %three]
one:
  %x = add i64 %kept, 100
  ret i64 %x
two:
  %y = add i64 %kept, 200
  ret i64 %y
three:
  ret i64 %kept
}

define i64 @run(ptr %out) {
  %a = call i64 @large(i64 5, i64 19992)
  store i64 %a, ptr %out
  %at1 = getelementptr i64, ptr %out, i64 1
  %b = call i64 @dynamic(i64 100000)
  store i64 %b, ptr %at1
  %at2 = getelementptr i64, ptr %out, i64 2
  %c = call i64 @dynamic(i64 8)
  store i64 %c, ptr %at2
  %at3 = getelementptr i64, ptr %out, i64 3
  %d = call i64 @relative(i64 4)
  store i64 %d, ptr %at3
  %at4 = getelementptr i64, ptr %out, i64 4
  %e = call i64 @computed(i64 9)
  store i64 %e, ptr %at4
  %at5 = getelementptr i64, ptr %out, i64 5
  %f = call i64 @computed(i64 10)
  store i64 %f, ptr %at5
  %at6 = getelementptr i64, ptr %out, i64 6
  %g = call i64 @computed(i64 11)
  store i64 %g, ptr %at6
  ret i64 7
}

declare ptr @llvm.load.relative.i64(ptr, i64)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
