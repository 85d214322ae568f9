; Constant expressions that make addresses of numbers and numbers of addresses, of several widths: what is narrower is
; extended by zeros. Distances within a global are numbers.
target triple = "x86_64-unknown-linux-gnu"

define ptr @returned() {
  ret ptr inttoptr (i32 -5 to ptr)
}

define void @stored(ptr %out) {
  store ptr inttoptr (i32 -5 to ptr), ptr %out
  %a = getelementptr i64, ptr %out, i64 1
  store ptr inttoptr (i16 -6 to ptr), ptr %a
  %b = getelementptr i64, ptr %out, i64 2
  store ptr inttoptr (i8 -7 to ptr), ptr %b
  %c = getelementptr i64, ptr %out, i64 3
  store ptr inttoptr (i1 true to ptr), ptr %c
  %d = getelementptr i64, ptr %out, i64 4
  store ptr inttoptr (i24 -8 to ptr), ptr %d
  %e = getelementptr i64, ptr %out, i64 5
  store ptr inttoptr (i64 -9 to ptr), ptr %e
  %f = getelementptr i64, ptr %out, i64 6
  store ptr inttoptr (i128 -10 to ptr), ptr %f
  %g = getelementptr i64, ptr %out, i64 7
  store ptr inttoptr (i37 -11 to ptr), ptr %g
  ret void
}

define void @displaced(ptr %out) {
  store ptr getelementptr (i8, ptr inttoptr (i32 -16 to ptr), i64 8), ptr %out
  %a = getelementptr i64, ptr %out, i64 1
  store ptr getelementptr (i8, ptr inttoptr (i32 -16 to ptr), i32 -8), ptr %a
  ret void
}

define void @numbers(ptr %out) {
  store i64 ptrtoint (ptr getelementptr (i8, ptr inttoptr (i64 -16 to ptr), i64 8) to i64), ptr %out
  %a = getelementptr i64, ptr %out, i64 1
  store i128 ptrtoint (ptr getelementptr (i8, ptr inttoptr (i64 -16 to ptr), i64 8) to i128), ptr %a
  %b = getelementptr i64, ptr %out, i64 3
  %narrow = zext i32 ptrtoint (ptr getelementptr (i8, ptr inttoptr (i64 -16 to ptr), i64 8) to i32) to i64
  store i64 %narrow, ptr %b
  %c = getelementptr i64, ptr %out, i64 4
  %wide = zext i37 ptrtoint (ptr getelementptr (i8, ptr inttoptr (i32 -16 to ptr), i64 8) to i37) to i64
  store i64 %wide, ptr %c
  ret void
}

define void @together(ptr %out) {
  store { ptr, i32, ptr } { ptr inttoptr (i32 -17 to ptr), i32 -1, ptr inttoptr (i8 -18 to ptr) }, ptr %out
  %a = getelementptr i64, ptr %out, i64 4
  store <2 x ptr> <ptr inttoptr (i32 -19 to ptr), ptr inttoptr (i16 -20 to ptr)>, ptr %a
  ret void
}

define i64 @compared(ptr %p, i1 %c) {
  %same = icmp eq ptr %p, inttoptr (i32 -5 to ptr)
  %chosen = select i1 %c, ptr inttoptr (i32 -21 to ptr), ptr inttoptr (i16 -22 to ptr)
  %number = ptrtoint ptr %chosen to i64
  %one = zext i1 %same to i64
  %sum = add i64 %number, %one
  ret i64 %sum
}

@text = internal constant [6 x i8] c"ab, cd"

define void @distances(ptr %out) {
  store i64 sub nuw (i64 ptrtoint (ptr getelementptr inbounds (i8, ptr @text, i64 5) to i64), i64 ptrtoint (ptr @text to i64)), ptr %out
  %a = getelementptr i64, ptr %out, i64 1
  store i64 sub (i64 ptrtoint (ptr @text to i64), i64 ptrtoint (ptr getelementptr (i8, ptr @text, i64 2) to i64)), ptr %a
  ret void
}

define i64 @run(ptr %out) {
  %p = call ptr @returned()
  store ptr %p, ptr %out
  %a = getelementptr i64, ptr %out, i64 1
  call void @stored(ptr %a)
  %b = getelementptr i64, ptr %out, i64 9
  call void @displaced(ptr %b)
  %c = getelementptr i64, ptr %out, i64 11
  call void @numbers(ptr %c)
  %d = getelementptr i64, ptr %out, i64 16
  store i64 0, ptr %d
  %d1 = getelementptr i64, ptr %out, i64 17
  store i64 0, ptr %d1
  call void @together(ptr %d)
  %e = getelementptr i64, ptr %out, i64 22
  %first = call i64 @compared(ptr inttoptr (i32 -5 to ptr), i1 true)
  store i64 %first, ptr %e
  %f = getelementptr i64, ptr %out, i64 23
  %second = call i64 @compared(ptr inttoptr (i64 -5 to ptr), i1 false)
  store i64 %second, ptr %f
  %g = getelementptr i64, ptr %out, i64 24
  call void @distances(ptr %g)
  ret i64 26
}
