; Masks of comparisons of vectors, as hash tables make them, and arithmetic of lanes.
target triple = "x86_64-unknown-linux-gnu"

define <16 x i8> @lanes_eq_8(<16 x i8> %a, <16 x i8> %b) {
  %c = icmp eq <16 x i8> %a, %b
  %m = sext <16 x i1> %c to <16 x i8>
  ret <16 x i8> %m
}
define <16 x i8> @lanes_ne_8(<16 x i8> %a, <16 x i8> %b) {
  %c = icmp ne <16 x i8> %a, %b
  %m = sext <16 x i1> %c to <16 x i8>
  ret <16 x i8> %m
}
define <16 x i8> @lanes_sgt_8(<16 x i8> %a, <16 x i8> %b) {
  %c = icmp sgt <16 x i8> %a, %b
  %m = sext <16 x i1> %c to <16 x i8>
  ret <16 x i8> %m
}
define <16 x i8> @lanes_sge_8(<16 x i8> %a, <16 x i8> %b) {
  %c = icmp sge <16 x i8> %a, %b
  %m = sext <16 x i1> %c to <16 x i8>
  ret <16 x i8> %m
}
define <16 x i8> @lanes_slt_8(<16 x i8> %a, <16 x i8> %b) {
  %c = icmp slt <16 x i8> %a, %b
  %m = sext <16 x i1> %c to <16 x i8>
  ret <16 x i8> %m
}
define <16 x i8> @lanes_sle_8(<16 x i8> %a, <16 x i8> %b) {
  %c = icmp sle <16 x i8> %a, %b
  %m = sext <16 x i1> %c to <16 x i8>
  ret <16 x i8> %m
}
define <8 x i16> @lanes_eq_16(<8 x i16> %a, <8 x i16> %b) {
  %c = icmp eq <8 x i16> %a, %b
  %m = sext <8 x i1> %c to <8 x i16>
  ret <8 x i16> %m
}
define <8 x i16> @lanes_ne_16(<8 x i16> %a, <8 x i16> %b) {
  %c = icmp ne <8 x i16> %a, %b
  %m = sext <8 x i1> %c to <8 x i16>
  ret <8 x i16> %m
}
define <8 x i16> @lanes_sgt_16(<8 x i16> %a, <8 x i16> %b) {
  %c = icmp sgt <8 x i16> %a, %b
  %m = sext <8 x i1> %c to <8 x i16>
  ret <8 x i16> %m
}
define <8 x i16> @lanes_sge_16(<8 x i16> %a, <8 x i16> %b) {
  %c = icmp sge <8 x i16> %a, %b
  %m = sext <8 x i1> %c to <8 x i16>
  ret <8 x i16> %m
}
define <8 x i16> @lanes_slt_16(<8 x i16> %a, <8 x i16> %b) {
  %c = icmp slt <8 x i16> %a, %b
  %m = sext <8 x i1> %c to <8 x i16>
  ret <8 x i16> %m
}
define <8 x i16> @lanes_sle_16(<8 x i16> %a, <8 x i16> %b) {
  %c = icmp sle <8 x i16> %a, %b
  %m = sext <8 x i1> %c to <8 x i16>
  ret <8 x i16> %m
}
define <4 x i32> @lanes_eq_32(<4 x i32> %a, <4 x i32> %b) {
  %c = icmp eq <4 x i32> %a, %b
  %m = sext <4 x i1> %c to <4 x i32>
  ret <4 x i32> %m
}
define <4 x i32> @lanes_ne_32(<4 x i32> %a, <4 x i32> %b) {
  %c = icmp ne <4 x i32> %a, %b
  %m = sext <4 x i1> %c to <4 x i32>
  ret <4 x i32> %m
}
define <4 x i32> @lanes_sgt_32(<4 x i32> %a, <4 x i32> %b) {
  %c = icmp sgt <4 x i32> %a, %b
  %m = sext <4 x i1> %c to <4 x i32>
  ret <4 x i32> %m
}
define <4 x i32> @lanes_sge_32(<4 x i32> %a, <4 x i32> %b) {
  %c = icmp sge <4 x i32> %a, %b
  %m = sext <4 x i1> %c to <4 x i32>
  ret <4 x i32> %m
}
define <4 x i32> @lanes_slt_32(<4 x i32> %a, <4 x i32> %b) {
  %c = icmp slt <4 x i32> %a, %b
  %m = sext <4 x i1> %c to <4 x i32>
  ret <4 x i32> %m
}
define <4 x i32> @lanes_sle_32(<4 x i32> %a, <4 x i32> %b) {
  %c = icmp sle <4 x i32> %a, %b
  %m = sext <4 x i1> %c to <4 x i32>
  ret <4 x i32> %m
}
define i16 @bits_eq(<16 x i8> %a, <16 x i8> %b) {
  %c = icmp eq <16 x i8> %a, %b
  %m = bitcast <16 x i1> %c to i16
  ret i16 %m
}
define i16 @bits_slt(<16 x i8> %a, <16 x i8> %b) {
  %c = icmp slt <16 x i8> %a, %b
  %m = bitcast <16 x i1> %c to i16
  ret i16 %m
}
define i16 @bits_sge(<16 x i8> %a, <16 x i8> %b) {
  %c = icmp sge <16 x i8> %a, %b
  %m = bitcast <16 x i1> %c to i16
  ret i16 %m
}
define <16 x i8> @add_8(<16 x i8> %a, <16 x i8> %b) {
  %c = add <16 x i8> %a, %b
  ret <16 x i8> %c
}
define <16 x i8> @sub_8(<16 x i8> %a, <16 x i8> %b) {
  %c = sub <16 x i8> %a, %b
  ret <16 x i8> %c
}
define <16 x i8> @and_8(<16 x i8> %a, <16 x i8> %b) {
  %c = and <16 x i8> %a, %b
  ret <16 x i8> %c
}
define <16 x i8> @or_8(<16 x i8> %a, <16 x i8> %b) {
  %c = or <16 x i8> %a, %b
  ret <16 x i8> %c
}
define <16 x i8> @xor_8(<16 x i8> %a, <16 x i8> %b) {
  %c = xor <16 x i8> %a, %b
  ret <16 x i8> %c
}
define <8 x i16> @add_16(<8 x i16> %a, <8 x i16> %b) {
  %c = add <8 x i16> %a, %b
  ret <8 x i16> %c
}
define <8 x i16> @sub_16(<8 x i16> %a, <8 x i16> %b) {
  %c = sub <8 x i16> %a, %b
  ret <8 x i16> %c
}
define <8 x i16> @and_16(<8 x i16> %a, <8 x i16> %b) {
  %c = and <8 x i16> %a, %b
  ret <8 x i16> %c
}
define <8 x i16> @or_16(<8 x i16> %a, <8 x i16> %b) {
  %c = or <8 x i16> %a, %b
  ret <8 x i16> %c
}
define <8 x i16> @xor_16(<8 x i16> %a, <8 x i16> %b) {
  %c = xor <8 x i16> %a, %b
  ret <8 x i16> %c
}
define <8 x i16> @mul_16(<8 x i16> %a, <8 x i16> %b) {
  %c = mul <8 x i16> %a, %b
  ret <8 x i16> %c
}
define <4 x i32> @add_32(<4 x i32> %a, <4 x i32> %b) {
  %c = add <4 x i32> %a, %b
  ret <4 x i32> %c
}
define <4 x i32> @sub_32(<4 x i32> %a, <4 x i32> %b) {
  %c = sub <4 x i32> %a, %b
  ret <4 x i32> %c
}
define <4 x i32> @and_32(<4 x i32> %a, <4 x i32> %b) {
  %c = and <4 x i32> %a, %b
  ret <4 x i32> %c
}
define <4 x i32> @or_32(<4 x i32> %a, <4 x i32> %b) {
  %c = or <4 x i32> %a, %b
  ret <4 x i32> %c
}
define <4 x i32> @xor_32(<4 x i32> %a, <4 x i32> %b) {
  %c = xor <4 x i32> %a, %b
  ret <4 x i32> %c
}
define <4 x i32> @mul_32(<4 x i32> %a, <4 x i32> %b) {
  %c = mul <4 x i32> %a, %b
  ret <4 x i32> %c
}
define <2 x i64> @add_64(<2 x i64> %a, <2 x i64> %b) {
  %c = add <2 x i64> %a, %b
  ret <2 x i64> %c
}
define <2 x i64> @sub_64(<2 x i64> %a, <2 x i64> %b) {
  %c = sub <2 x i64> %a, %b
  ret <2 x i64> %c
}
define <2 x i64> @and_64(<2 x i64> %a, <2 x i64> %b) {
  %c = and <2 x i64> %a, %b
  ret <2 x i64> %c
}
define <2 x i64> @or_64(<2 x i64> %a, <2 x i64> %b) {
  %c = or <2 x i64> %a, %b
  ret <2 x i64> %c
}
define <2 x i64> @xor_64(<2 x i64> %a, <2 x i64> %b) {
  %c = xor <2 x i64> %a, %b
  ret <2 x i64> %c
}
define i64 @run(ptr %out) {
  %a1 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b1 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r1 = call <16 x i8> @lanes_eq_8(<16 x i8> %a1, <16 x i8> %b1)
  %at1 = getelementptr i64, ptr %out, i64 0
  store <16 x i8> %r1, ptr %at1, align 8
  %a2 = bitcast i128 -1 to <16 x i8>
  %b2 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r2 = call <16 x i8> @lanes_eq_8(<16 x i8> %a2, <16 x i8> %b2)
  %at2 = getelementptr i64, ptr %out, i64 2
  store <16 x i8> %r2, ptr %at2, align 8
  %a3 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b3 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r3 = call <16 x i8> @lanes_eq_8(<16 x i8> %a3, <16 x i8> %b3)
  %at3 = getelementptr i64, ptr %out, i64 4
  store <16 x i8> %r3, ptr %at3, align 8
  %a4 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b4 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r4 = call <16 x i8> @lanes_ne_8(<16 x i8> %a4, <16 x i8> %b4)
  %at4 = getelementptr i64, ptr %out, i64 6
  store <16 x i8> %r4, ptr %at4, align 8
  %a5 = bitcast i128 -1 to <16 x i8>
  %b5 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r5 = call <16 x i8> @lanes_ne_8(<16 x i8> %a5, <16 x i8> %b5)
  %at5 = getelementptr i64, ptr %out, i64 8
  store <16 x i8> %r5, ptr %at5, align 8
  %a6 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b6 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r6 = call <16 x i8> @lanes_ne_8(<16 x i8> %a6, <16 x i8> %b6)
  %at6 = getelementptr i64, ptr %out, i64 10
  store <16 x i8> %r6, ptr %at6, align 8
  %a7 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b7 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r7 = call <16 x i8> @lanes_sgt_8(<16 x i8> %a7, <16 x i8> %b7)
  %at7 = getelementptr i64, ptr %out, i64 12
  store <16 x i8> %r7, ptr %at7, align 8
  %a8 = bitcast i128 -1 to <16 x i8>
  %b8 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r8 = call <16 x i8> @lanes_sgt_8(<16 x i8> %a8, <16 x i8> %b8)
  %at8 = getelementptr i64, ptr %out, i64 14
  store <16 x i8> %r8, ptr %at8, align 8
  %a9 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b9 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r9 = call <16 x i8> @lanes_sgt_8(<16 x i8> %a9, <16 x i8> %b9)
  %at9 = getelementptr i64, ptr %out, i64 16
  store <16 x i8> %r9, ptr %at9, align 8
  %a10 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b10 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r10 = call <16 x i8> @lanes_sge_8(<16 x i8> %a10, <16 x i8> %b10)
  %at10 = getelementptr i64, ptr %out, i64 18
  store <16 x i8> %r10, ptr %at10, align 8
  %a11 = bitcast i128 -1 to <16 x i8>
  %b11 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r11 = call <16 x i8> @lanes_sge_8(<16 x i8> %a11, <16 x i8> %b11)
  %at11 = getelementptr i64, ptr %out, i64 20
  store <16 x i8> %r11, ptr %at11, align 8
  %a12 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b12 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r12 = call <16 x i8> @lanes_sge_8(<16 x i8> %a12, <16 x i8> %b12)
  %at12 = getelementptr i64, ptr %out, i64 22
  store <16 x i8> %r12, ptr %at12, align 8
  %a13 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b13 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r13 = call <16 x i8> @lanes_slt_8(<16 x i8> %a13, <16 x i8> %b13)
  %at13 = getelementptr i64, ptr %out, i64 24
  store <16 x i8> %r13, ptr %at13, align 8
  %a14 = bitcast i128 -1 to <16 x i8>
  %b14 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r14 = call <16 x i8> @lanes_slt_8(<16 x i8> %a14, <16 x i8> %b14)
  %at14 = getelementptr i64, ptr %out, i64 26
  store <16 x i8> %r14, ptr %at14, align 8
  %a15 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b15 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r15 = call <16 x i8> @lanes_slt_8(<16 x i8> %a15, <16 x i8> %b15)
  %at15 = getelementptr i64, ptr %out, i64 28
  store <16 x i8> %r15, ptr %at15, align 8
  %a16 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b16 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r16 = call <16 x i8> @lanes_sle_8(<16 x i8> %a16, <16 x i8> %b16)
  %at16 = getelementptr i64, ptr %out, i64 30
  store <16 x i8> %r16, ptr %at16, align 8
  %a17 = bitcast i128 -1 to <16 x i8>
  %b17 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r17 = call <16 x i8> @lanes_sle_8(<16 x i8> %a17, <16 x i8> %b17)
  %at17 = getelementptr i64, ptr %out, i64 32
  store <16 x i8> %r17, ptr %at17, align 8
  %a18 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b18 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r18 = call <16 x i8> @lanes_sle_8(<16 x i8> %a18, <16 x i8> %b18)
  %at18 = getelementptr i64, ptr %out, i64 34
  store <16 x i8> %r18, ptr %at18, align 8
  %a19 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b19 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r19 = call <8 x i16> @lanes_eq_16(<8 x i16> %a19, <8 x i16> %b19)
  %at19 = getelementptr i64, ptr %out, i64 36
  store <8 x i16> %r19, ptr %at19, align 8
  %a20 = bitcast i128 -1 to <8 x i16>
  %b20 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r20 = call <8 x i16> @lanes_eq_16(<8 x i16> %a20, <8 x i16> %b20)
  %at20 = getelementptr i64, ptr %out, i64 38
  store <8 x i16> %r20, ptr %at20, align 8
  %a21 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b21 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r21 = call <8 x i16> @lanes_eq_16(<8 x i16> %a21, <8 x i16> %b21)
  %at21 = getelementptr i64, ptr %out, i64 40
  store <8 x i16> %r21, ptr %at21, align 8
  %a22 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b22 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r22 = call <8 x i16> @lanes_ne_16(<8 x i16> %a22, <8 x i16> %b22)
  %at22 = getelementptr i64, ptr %out, i64 42
  store <8 x i16> %r22, ptr %at22, align 8
  %a23 = bitcast i128 -1 to <8 x i16>
  %b23 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r23 = call <8 x i16> @lanes_ne_16(<8 x i16> %a23, <8 x i16> %b23)
  %at23 = getelementptr i64, ptr %out, i64 44
  store <8 x i16> %r23, ptr %at23, align 8
  %a24 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b24 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r24 = call <8 x i16> @lanes_ne_16(<8 x i16> %a24, <8 x i16> %b24)
  %at24 = getelementptr i64, ptr %out, i64 46
  store <8 x i16> %r24, ptr %at24, align 8
  %a25 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b25 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r25 = call <8 x i16> @lanes_sgt_16(<8 x i16> %a25, <8 x i16> %b25)
  %at25 = getelementptr i64, ptr %out, i64 48
  store <8 x i16> %r25, ptr %at25, align 8
  %a26 = bitcast i128 -1 to <8 x i16>
  %b26 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r26 = call <8 x i16> @lanes_sgt_16(<8 x i16> %a26, <8 x i16> %b26)
  %at26 = getelementptr i64, ptr %out, i64 50
  store <8 x i16> %r26, ptr %at26, align 8
  %a27 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b27 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r27 = call <8 x i16> @lanes_sgt_16(<8 x i16> %a27, <8 x i16> %b27)
  %at27 = getelementptr i64, ptr %out, i64 52
  store <8 x i16> %r27, ptr %at27, align 8
  %a28 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b28 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r28 = call <8 x i16> @lanes_sge_16(<8 x i16> %a28, <8 x i16> %b28)
  %at28 = getelementptr i64, ptr %out, i64 54
  store <8 x i16> %r28, ptr %at28, align 8
  %a29 = bitcast i128 -1 to <8 x i16>
  %b29 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r29 = call <8 x i16> @lanes_sge_16(<8 x i16> %a29, <8 x i16> %b29)
  %at29 = getelementptr i64, ptr %out, i64 56
  store <8 x i16> %r29, ptr %at29, align 8
  %a30 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b30 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r30 = call <8 x i16> @lanes_sge_16(<8 x i16> %a30, <8 x i16> %b30)
  %at30 = getelementptr i64, ptr %out, i64 58
  store <8 x i16> %r30, ptr %at30, align 8
  %a31 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b31 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r31 = call <8 x i16> @lanes_slt_16(<8 x i16> %a31, <8 x i16> %b31)
  %at31 = getelementptr i64, ptr %out, i64 60
  store <8 x i16> %r31, ptr %at31, align 8
  %a32 = bitcast i128 -1 to <8 x i16>
  %b32 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r32 = call <8 x i16> @lanes_slt_16(<8 x i16> %a32, <8 x i16> %b32)
  %at32 = getelementptr i64, ptr %out, i64 62
  store <8 x i16> %r32, ptr %at32, align 8
  %a33 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b33 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r33 = call <8 x i16> @lanes_slt_16(<8 x i16> %a33, <8 x i16> %b33)
  %at33 = getelementptr i64, ptr %out, i64 64
  store <8 x i16> %r33, ptr %at33, align 8
  %a34 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b34 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r34 = call <8 x i16> @lanes_sle_16(<8 x i16> %a34, <8 x i16> %b34)
  %at34 = getelementptr i64, ptr %out, i64 66
  store <8 x i16> %r34, ptr %at34, align 8
  %a35 = bitcast i128 -1 to <8 x i16>
  %b35 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r35 = call <8 x i16> @lanes_sle_16(<8 x i16> %a35, <8 x i16> %b35)
  %at35 = getelementptr i64, ptr %out, i64 68
  store <8 x i16> %r35, ptr %at35, align 8
  %a36 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b36 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r36 = call <8 x i16> @lanes_sle_16(<8 x i16> %a36, <8 x i16> %b36)
  %at36 = getelementptr i64, ptr %out, i64 70
  store <8 x i16> %r36, ptr %at36, align 8
  %a37 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b37 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r37 = call <4 x i32> @lanes_eq_32(<4 x i32> %a37, <4 x i32> %b37)
  %at37 = getelementptr i64, ptr %out, i64 72
  store <4 x i32> %r37, ptr %at37, align 8
  %a38 = bitcast i128 -1 to <4 x i32>
  %b38 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r38 = call <4 x i32> @lanes_eq_32(<4 x i32> %a38, <4 x i32> %b38)
  %at38 = getelementptr i64, ptr %out, i64 74
  store <4 x i32> %r38, ptr %at38, align 8
  %a39 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b39 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r39 = call <4 x i32> @lanes_eq_32(<4 x i32> %a39, <4 x i32> %b39)
  %at39 = getelementptr i64, ptr %out, i64 76
  store <4 x i32> %r39, ptr %at39, align 8
  %a40 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b40 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r40 = call <4 x i32> @lanes_ne_32(<4 x i32> %a40, <4 x i32> %b40)
  %at40 = getelementptr i64, ptr %out, i64 78
  store <4 x i32> %r40, ptr %at40, align 8
  %a41 = bitcast i128 -1 to <4 x i32>
  %b41 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r41 = call <4 x i32> @lanes_ne_32(<4 x i32> %a41, <4 x i32> %b41)
  %at41 = getelementptr i64, ptr %out, i64 80
  store <4 x i32> %r41, ptr %at41, align 8
  %a42 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b42 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r42 = call <4 x i32> @lanes_ne_32(<4 x i32> %a42, <4 x i32> %b42)
  %at42 = getelementptr i64, ptr %out, i64 82
  store <4 x i32> %r42, ptr %at42, align 8
  %a43 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b43 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r43 = call <4 x i32> @lanes_sgt_32(<4 x i32> %a43, <4 x i32> %b43)
  %at43 = getelementptr i64, ptr %out, i64 84
  store <4 x i32> %r43, ptr %at43, align 8
  %a44 = bitcast i128 -1 to <4 x i32>
  %b44 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r44 = call <4 x i32> @lanes_sgt_32(<4 x i32> %a44, <4 x i32> %b44)
  %at44 = getelementptr i64, ptr %out, i64 86
  store <4 x i32> %r44, ptr %at44, align 8
  %a45 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b45 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r45 = call <4 x i32> @lanes_sgt_32(<4 x i32> %a45, <4 x i32> %b45)
  %at45 = getelementptr i64, ptr %out, i64 88
  store <4 x i32> %r45, ptr %at45, align 8
  %a46 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b46 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r46 = call <4 x i32> @lanes_sge_32(<4 x i32> %a46, <4 x i32> %b46)
  %at46 = getelementptr i64, ptr %out, i64 90
  store <4 x i32> %r46, ptr %at46, align 8
  %a47 = bitcast i128 -1 to <4 x i32>
  %b47 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r47 = call <4 x i32> @lanes_sge_32(<4 x i32> %a47, <4 x i32> %b47)
  %at47 = getelementptr i64, ptr %out, i64 92
  store <4 x i32> %r47, ptr %at47, align 8
  %a48 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b48 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r48 = call <4 x i32> @lanes_sge_32(<4 x i32> %a48, <4 x i32> %b48)
  %at48 = getelementptr i64, ptr %out, i64 94
  store <4 x i32> %r48, ptr %at48, align 8
  %a49 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b49 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r49 = call <4 x i32> @lanes_slt_32(<4 x i32> %a49, <4 x i32> %b49)
  %at49 = getelementptr i64, ptr %out, i64 96
  store <4 x i32> %r49, ptr %at49, align 8
  %a50 = bitcast i128 -1 to <4 x i32>
  %b50 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r50 = call <4 x i32> @lanes_slt_32(<4 x i32> %a50, <4 x i32> %b50)
  %at50 = getelementptr i64, ptr %out, i64 98
  store <4 x i32> %r50, ptr %at50, align 8
  %a51 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b51 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r51 = call <4 x i32> @lanes_slt_32(<4 x i32> %a51, <4 x i32> %b51)
  %at51 = getelementptr i64, ptr %out, i64 100
  store <4 x i32> %r51, ptr %at51, align 8
  %a52 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b52 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r52 = call <4 x i32> @lanes_sle_32(<4 x i32> %a52, <4 x i32> %b52)
  %at52 = getelementptr i64, ptr %out, i64 102
  store <4 x i32> %r52, ptr %at52, align 8
  %a53 = bitcast i128 -1 to <4 x i32>
  %b53 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r53 = call <4 x i32> @lanes_sle_32(<4 x i32> %a53, <4 x i32> %b53)
  %at53 = getelementptr i64, ptr %out, i64 104
  store <4 x i32> %r53, ptr %at53, align 8
  %a54 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b54 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r54 = call <4 x i32> @lanes_sle_32(<4 x i32> %a54, <4 x i32> %b54)
  %at54 = getelementptr i64, ptr %out, i64 106
  store <4 x i32> %r54, ptr %at54, align 8
  %a55 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b55 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r55 = call i16 @bits_eq(<16 x i8> %a55, <16 x i8> %b55)
  %z55 = zext i16 %r55 to i64
  %at55 = getelementptr i64, ptr %out, i64 108
  store i64 %z55, ptr %at55
  %a56 = bitcast i128 -1 to <16 x i8>
  %b56 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r56 = call i16 @bits_eq(<16 x i8> %a56, <16 x i8> %b56)
  %z56 = zext i16 %r56 to i64
  %at56 = getelementptr i64, ptr %out, i64 109
  store i64 %z56, ptr %at56
  %a57 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b57 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r57 = call i16 @bits_eq(<16 x i8> %a57, <16 x i8> %b57)
  %z57 = zext i16 %r57 to i64
  %at57 = getelementptr i64, ptr %out, i64 110
  store i64 %z57, ptr %at57
  %a58 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b58 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r58 = call i16 @bits_slt(<16 x i8> %a58, <16 x i8> %b58)
  %z58 = zext i16 %r58 to i64
  %at58 = getelementptr i64, ptr %out, i64 111
  store i64 %z58, ptr %at58
  %a59 = bitcast i128 -1 to <16 x i8>
  %b59 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r59 = call i16 @bits_slt(<16 x i8> %a59, <16 x i8> %b59)
  %z59 = zext i16 %r59 to i64
  %at59 = getelementptr i64, ptr %out, i64 112
  store i64 %z59, ptr %at59
  %a60 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b60 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r60 = call i16 @bits_slt(<16 x i8> %a60, <16 x i8> %b60)
  %z60 = zext i16 %r60 to i64
  %at60 = getelementptr i64, ptr %out, i64 113
  store i64 %z60, ptr %at60
  %a61 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b61 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r61 = call i16 @bits_sge(<16 x i8> %a61, <16 x i8> %b61)
  %z61 = zext i16 %r61 to i64
  %at61 = getelementptr i64, ptr %out, i64 114
  store i64 %z61, ptr %at61
  %a62 = bitcast i128 -1 to <16 x i8>
  %b62 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r62 = call i16 @bits_sge(<16 x i8> %a62, <16 x i8> %b62)
  %z62 = zext i16 %r62 to i64
  %at62 = getelementptr i64, ptr %out, i64 115
  store i64 %z62, ptr %at62
  %a63 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b63 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r63 = call i16 @bits_sge(<16 x i8> %a63, <16 x i8> %b63)
  %z63 = zext i16 %r63 to i64
  %at63 = getelementptr i64, ptr %out, i64 116
  store i64 %z63, ptr %at63
  %a64 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b64 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r64 = call <16 x i8> @add_8(<16 x i8> %a64, <16 x i8> %b64)
  %at64 = getelementptr i64, ptr %out, i64 117
  store <16 x i8> %r64, ptr %at64, align 8
  %a65 = bitcast i128 -1 to <16 x i8>
  %b65 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r65 = call <16 x i8> @add_8(<16 x i8> %a65, <16 x i8> %b65)
  %at65 = getelementptr i64, ptr %out, i64 119
  store <16 x i8> %r65, ptr %at65, align 8
  %a66 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b66 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r66 = call <16 x i8> @add_8(<16 x i8> %a66, <16 x i8> %b66)
  %at66 = getelementptr i64, ptr %out, i64 121
  store <16 x i8> %r66, ptr %at66, align 8
  %a67 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b67 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r67 = call <16 x i8> @sub_8(<16 x i8> %a67, <16 x i8> %b67)
  %at67 = getelementptr i64, ptr %out, i64 123
  store <16 x i8> %r67, ptr %at67, align 8
  %a68 = bitcast i128 -1 to <16 x i8>
  %b68 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r68 = call <16 x i8> @sub_8(<16 x i8> %a68, <16 x i8> %b68)
  %at68 = getelementptr i64, ptr %out, i64 125
  store <16 x i8> %r68, ptr %at68, align 8
  %a69 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b69 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r69 = call <16 x i8> @sub_8(<16 x i8> %a69, <16 x i8> %b69)
  %at69 = getelementptr i64, ptr %out, i64 127
  store <16 x i8> %r69, ptr %at69, align 8
  %a70 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b70 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r70 = call <16 x i8> @and_8(<16 x i8> %a70, <16 x i8> %b70)
  %at70 = getelementptr i64, ptr %out, i64 129
  store <16 x i8> %r70, ptr %at70, align 8
  %a71 = bitcast i128 -1 to <16 x i8>
  %b71 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r71 = call <16 x i8> @and_8(<16 x i8> %a71, <16 x i8> %b71)
  %at71 = getelementptr i64, ptr %out, i64 131
  store <16 x i8> %r71, ptr %at71, align 8
  %a72 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b72 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r72 = call <16 x i8> @and_8(<16 x i8> %a72, <16 x i8> %b72)
  %at72 = getelementptr i64, ptr %out, i64 133
  store <16 x i8> %r72, ptr %at72, align 8
  %a73 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b73 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r73 = call <16 x i8> @or_8(<16 x i8> %a73, <16 x i8> %b73)
  %at73 = getelementptr i64, ptr %out, i64 135
  store <16 x i8> %r73, ptr %at73, align 8
  %a74 = bitcast i128 -1 to <16 x i8>
  %b74 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r74 = call <16 x i8> @or_8(<16 x i8> %a74, <16 x i8> %b74)
  %at74 = getelementptr i64, ptr %out, i64 137
  store <16 x i8> %r74, ptr %at74, align 8
  %a75 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b75 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r75 = call <16 x i8> @or_8(<16 x i8> %a75, <16 x i8> %b75)
  %at75 = getelementptr i64, ptr %out, i64 139
  store <16 x i8> %r75, ptr %at75, align 8
  %a76 = bitcast i128 1339673755198158349044581307228491536 to <16 x i8>
  %b76 = bitcast i128 1344784922708420783992749587732238097 to <16 x i8>
  %r76 = call <16 x i8> @xor_8(<16 x i8> %a76, <16 x i8> %b76)
  %at76 = getelementptr i64, ptr %out, i64 141
  store <16 x i8> %r76, ptr %at76, align 8
  %a77 = bitcast i128 -1 to <16 x i8>
  %b77 = bitcast i128 -170138587351654045556558463195076886527 to <16 x i8>
  %r77 = call <16 x i8> @xor_8(<16 x i8> %a77, <16 x i8> %b77)
  %at77 = getelementptr i64, ptr %out, i64 143
  store <16 x i8> %r77, ptr %at77, align 8
  %a78 = bitcast i128 -168814571895523186896598069738307846145 to <16 x i8>
  %b78 = bitcast i128 170141183420855150474555134925571325696 to <16 x i8>
  %r78 = call <16 x i8> @xor_8(<16 x i8> %a78, <16 x i8> %b78)
  %at78 = getelementptr i64, ptr %out, i64 145
  store <16 x i8> %r78, ptr %at78, align 8
  %a79 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b79 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r79 = call <8 x i16> @add_16(<8 x i16> %a79, <8 x i16> %b79)
  %at79 = getelementptr i64, ptr %out, i64 147
  store <8 x i16> %r79, ptr %at79, align 8
  %a80 = bitcast i128 -1 to <8 x i16>
  %b80 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r80 = call <8 x i16> @add_16(<8 x i16> %a80, <8 x i16> %b80)
  %at80 = getelementptr i64, ptr %out, i64 149
  store <8 x i16> %r80, ptr %at80, align 8
  %a81 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b81 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r81 = call <8 x i16> @add_16(<8 x i16> %a81, <8 x i16> %b81)
  %at81 = getelementptr i64, ptr %out, i64 151
  store <8 x i16> %r81, ptr %at81, align 8
  %a82 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b82 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r82 = call <8 x i16> @sub_16(<8 x i16> %a82, <8 x i16> %b82)
  %at82 = getelementptr i64, ptr %out, i64 153
  store <8 x i16> %r82, ptr %at82, align 8
  %a83 = bitcast i128 -1 to <8 x i16>
  %b83 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r83 = call <8 x i16> @sub_16(<8 x i16> %a83, <8 x i16> %b83)
  %at83 = getelementptr i64, ptr %out, i64 155
  store <8 x i16> %r83, ptr %at83, align 8
  %a84 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b84 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r84 = call <8 x i16> @sub_16(<8 x i16> %a84, <8 x i16> %b84)
  %at84 = getelementptr i64, ptr %out, i64 157
  store <8 x i16> %r84, ptr %at84, align 8
  %a85 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b85 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r85 = call <8 x i16> @and_16(<8 x i16> %a85, <8 x i16> %b85)
  %at85 = getelementptr i64, ptr %out, i64 159
  store <8 x i16> %r85, ptr %at85, align 8
  %a86 = bitcast i128 -1 to <8 x i16>
  %b86 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r86 = call <8 x i16> @and_16(<8 x i16> %a86, <8 x i16> %b86)
  %at86 = getelementptr i64, ptr %out, i64 161
  store <8 x i16> %r86, ptr %at86, align 8
  %a87 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b87 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r87 = call <8 x i16> @and_16(<8 x i16> %a87, <8 x i16> %b87)
  %at87 = getelementptr i64, ptr %out, i64 163
  store <8 x i16> %r87, ptr %at87, align 8
  %a88 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b88 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r88 = call <8 x i16> @or_16(<8 x i16> %a88, <8 x i16> %b88)
  %at88 = getelementptr i64, ptr %out, i64 165
  store <8 x i16> %r88, ptr %at88, align 8
  %a89 = bitcast i128 -1 to <8 x i16>
  %b89 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r89 = call <8 x i16> @or_16(<8 x i16> %a89, <8 x i16> %b89)
  %at89 = getelementptr i64, ptr %out, i64 167
  store <8 x i16> %r89, ptr %at89, align 8
  %a90 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b90 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r90 = call <8 x i16> @or_16(<8 x i16> %a90, <8 x i16> %b90)
  %at90 = getelementptr i64, ptr %out, i64 169
  store <8 x i16> %r90, ptr %at90, align 8
  %a91 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b91 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r91 = call <8 x i16> @xor_16(<8 x i16> %a91, <8 x i16> %b91)
  %at91 = getelementptr i64, ptr %out, i64 171
  store <8 x i16> %r91, ptr %at91, align 8
  %a92 = bitcast i128 -1 to <8 x i16>
  %b92 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r92 = call <8 x i16> @xor_16(<8 x i16> %a92, <8 x i16> %b92)
  %at92 = getelementptr i64, ptr %out, i64 173
  store <8 x i16> %r92, ptr %at92, align 8
  %a93 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b93 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r93 = call <8 x i16> @xor_16(<8 x i16> %a93, <8 x i16> %b93)
  %at93 = getelementptr i64, ptr %out, i64 175
  store <8 x i16> %r93, ptr %at93, align 8
  %a94 = bitcast i128 1339673755198158349044581307228491536 to <8 x i16>
  %b94 = bitcast i128 1344784922708420783992749587732238097 to <8 x i16>
  %r94 = call <8 x i16> @mul_16(<8 x i16> %a94, <8 x i16> %b94)
  %at94 = getelementptr i64, ptr %out, i64 177
  store <8 x i16> %r94, ptr %at94, align 8
  %a95 = bitcast i128 -1 to <8 x i16>
  %b95 = bitcast i128 -170138587351654045556558463195076886527 to <8 x i16>
  %r95 = call <8 x i16> @mul_16(<8 x i16> %a95, <8 x i16> %b95)
  %at95 = getelementptr i64, ptr %out, i64 179
  store <8 x i16> %r95, ptr %at95, align 8
  %a96 = bitcast i128 -168814571895523186896598069738307846145 to <8 x i16>
  %b96 = bitcast i128 170141183420855150474555134925571325696 to <8 x i16>
  %r96 = call <8 x i16> @mul_16(<8 x i16> %a96, <8 x i16> %b96)
  %at96 = getelementptr i64, ptr %out, i64 181
  store <8 x i16> %r96, ptr %at96, align 8
  %a97 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b97 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r97 = call <4 x i32> @add_32(<4 x i32> %a97, <4 x i32> %b97)
  %at97 = getelementptr i64, ptr %out, i64 183
  store <4 x i32> %r97, ptr %at97, align 8
  %a98 = bitcast i128 -1 to <4 x i32>
  %b98 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r98 = call <4 x i32> @add_32(<4 x i32> %a98, <4 x i32> %b98)
  %at98 = getelementptr i64, ptr %out, i64 185
  store <4 x i32> %r98, ptr %at98, align 8
  %a99 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b99 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r99 = call <4 x i32> @add_32(<4 x i32> %a99, <4 x i32> %b99)
  %at99 = getelementptr i64, ptr %out, i64 187
  store <4 x i32> %r99, ptr %at99, align 8
  %a100 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b100 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r100 = call <4 x i32> @sub_32(<4 x i32> %a100, <4 x i32> %b100)
  %at100 = getelementptr i64, ptr %out, i64 189
  store <4 x i32> %r100, ptr %at100, align 8
  %a101 = bitcast i128 -1 to <4 x i32>
  %b101 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r101 = call <4 x i32> @sub_32(<4 x i32> %a101, <4 x i32> %b101)
  %at101 = getelementptr i64, ptr %out, i64 191
  store <4 x i32> %r101, ptr %at101, align 8
  %a102 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b102 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r102 = call <4 x i32> @sub_32(<4 x i32> %a102, <4 x i32> %b102)
  %at102 = getelementptr i64, ptr %out, i64 193
  store <4 x i32> %r102, ptr %at102, align 8
  %a103 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b103 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r103 = call <4 x i32> @and_32(<4 x i32> %a103, <4 x i32> %b103)
  %at103 = getelementptr i64, ptr %out, i64 195
  store <4 x i32> %r103, ptr %at103, align 8
  %a104 = bitcast i128 -1 to <4 x i32>
  %b104 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r104 = call <4 x i32> @and_32(<4 x i32> %a104, <4 x i32> %b104)
  %at104 = getelementptr i64, ptr %out, i64 197
  store <4 x i32> %r104, ptr %at104, align 8
  %a105 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b105 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r105 = call <4 x i32> @and_32(<4 x i32> %a105, <4 x i32> %b105)
  %at105 = getelementptr i64, ptr %out, i64 199
  store <4 x i32> %r105, ptr %at105, align 8
  %a106 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b106 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r106 = call <4 x i32> @or_32(<4 x i32> %a106, <4 x i32> %b106)
  %at106 = getelementptr i64, ptr %out, i64 201
  store <4 x i32> %r106, ptr %at106, align 8
  %a107 = bitcast i128 -1 to <4 x i32>
  %b107 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r107 = call <4 x i32> @or_32(<4 x i32> %a107, <4 x i32> %b107)
  %at107 = getelementptr i64, ptr %out, i64 203
  store <4 x i32> %r107, ptr %at107, align 8
  %a108 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b108 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r108 = call <4 x i32> @or_32(<4 x i32> %a108, <4 x i32> %b108)
  %at108 = getelementptr i64, ptr %out, i64 205
  store <4 x i32> %r108, ptr %at108, align 8
  %a109 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b109 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r109 = call <4 x i32> @xor_32(<4 x i32> %a109, <4 x i32> %b109)
  %at109 = getelementptr i64, ptr %out, i64 207
  store <4 x i32> %r109, ptr %at109, align 8
  %a110 = bitcast i128 -1 to <4 x i32>
  %b110 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r110 = call <4 x i32> @xor_32(<4 x i32> %a110, <4 x i32> %b110)
  %at110 = getelementptr i64, ptr %out, i64 209
  store <4 x i32> %r110, ptr %at110, align 8
  %a111 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b111 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r111 = call <4 x i32> @xor_32(<4 x i32> %a111, <4 x i32> %b111)
  %at111 = getelementptr i64, ptr %out, i64 211
  store <4 x i32> %r111, ptr %at111, align 8
  %a112 = bitcast i128 1339673755198158349044581307228491536 to <4 x i32>
  %b112 = bitcast i128 1344784922708420783992749587732238097 to <4 x i32>
  %r112 = call <4 x i32> @mul_32(<4 x i32> %a112, <4 x i32> %b112)
  %at112 = getelementptr i64, ptr %out, i64 213
  store <4 x i32> %r112, ptr %at112, align 8
  %a113 = bitcast i128 -1 to <4 x i32>
  %b113 = bitcast i128 -170138587351654045556558463195076886527 to <4 x i32>
  %r113 = call <4 x i32> @mul_32(<4 x i32> %a113, <4 x i32> %b113)
  %at113 = getelementptr i64, ptr %out, i64 215
  store <4 x i32> %r113, ptr %at113, align 8
  %a114 = bitcast i128 -168814571895523186896598069738307846145 to <4 x i32>
  %b114 = bitcast i128 170141183420855150474555134925571325696 to <4 x i32>
  %r114 = call <4 x i32> @mul_32(<4 x i32> %a114, <4 x i32> %b114)
  %at114 = getelementptr i64, ptr %out, i64 217
  store <4 x i32> %r114, ptr %at114, align 8
  %a115 = bitcast i128 1339673755198158349044581307228491536 to <2 x i64>
  %b115 = bitcast i128 1344784922708420783992749587732238097 to <2 x i64>
  %r115 = call <2 x i64> @add_64(<2 x i64> %a115, <2 x i64> %b115)
  %at115 = getelementptr i64, ptr %out, i64 219
  store <2 x i64> %r115, ptr %at115, align 8
  %a116 = bitcast i128 -1 to <2 x i64>
  %b116 = bitcast i128 -170138587351654045556558463195076886527 to <2 x i64>
  %r116 = call <2 x i64> @add_64(<2 x i64> %a116, <2 x i64> %b116)
  %at116 = getelementptr i64, ptr %out, i64 221
  store <2 x i64> %r116, ptr %at116, align 8
  %a117 = bitcast i128 -168814571895523186896598069738307846145 to <2 x i64>
  %b117 = bitcast i128 170141183420855150474555134925571325696 to <2 x i64>
  %r117 = call <2 x i64> @add_64(<2 x i64> %a117, <2 x i64> %b117)
  %at117 = getelementptr i64, ptr %out, i64 223
  store <2 x i64> %r117, ptr %at117, align 8
  %a118 = bitcast i128 1339673755198158349044581307228491536 to <2 x i64>
  %b118 = bitcast i128 1344784922708420783992749587732238097 to <2 x i64>
  %r118 = call <2 x i64> @sub_64(<2 x i64> %a118, <2 x i64> %b118)
  %at118 = getelementptr i64, ptr %out, i64 225
  store <2 x i64> %r118, ptr %at118, align 8
  %a119 = bitcast i128 -1 to <2 x i64>
  %b119 = bitcast i128 -170138587351654045556558463195076886527 to <2 x i64>
  %r119 = call <2 x i64> @sub_64(<2 x i64> %a119, <2 x i64> %b119)
  %at119 = getelementptr i64, ptr %out, i64 227
  store <2 x i64> %r119, ptr %at119, align 8
  %a120 = bitcast i128 -168814571895523186896598069738307846145 to <2 x i64>
  %b120 = bitcast i128 170141183420855150474555134925571325696 to <2 x i64>
  %r120 = call <2 x i64> @sub_64(<2 x i64> %a120, <2 x i64> %b120)
  %at120 = getelementptr i64, ptr %out, i64 229
  store <2 x i64> %r120, ptr %at120, align 8
  %a121 = bitcast i128 1339673755198158349044581307228491536 to <2 x i64>
  %b121 = bitcast i128 1344784922708420783992749587732238097 to <2 x i64>
  %r121 = call <2 x i64> @and_64(<2 x i64> %a121, <2 x i64> %b121)
  %at121 = getelementptr i64, ptr %out, i64 231
  store <2 x i64> %r121, ptr %at121, align 8
  %a122 = bitcast i128 -1 to <2 x i64>
  %b122 = bitcast i128 -170138587351654045556558463195076886527 to <2 x i64>
  %r122 = call <2 x i64> @and_64(<2 x i64> %a122, <2 x i64> %b122)
  %at122 = getelementptr i64, ptr %out, i64 233
  store <2 x i64> %r122, ptr %at122, align 8
  %a123 = bitcast i128 -168814571895523186896598069738307846145 to <2 x i64>
  %b123 = bitcast i128 170141183420855150474555134925571325696 to <2 x i64>
  %r123 = call <2 x i64> @and_64(<2 x i64> %a123, <2 x i64> %b123)
  %at123 = getelementptr i64, ptr %out, i64 235
  store <2 x i64> %r123, ptr %at123, align 8
  %a124 = bitcast i128 1339673755198158349044581307228491536 to <2 x i64>
  %b124 = bitcast i128 1344784922708420783992749587732238097 to <2 x i64>
  %r124 = call <2 x i64> @or_64(<2 x i64> %a124, <2 x i64> %b124)
  %at124 = getelementptr i64, ptr %out, i64 237
  store <2 x i64> %r124, ptr %at124, align 8
  %a125 = bitcast i128 -1 to <2 x i64>
  %b125 = bitcast i128 -170138587351654045556558463195076886527 to <2 x i64>
  %r125 = call <2 x i64> @or_64(<2 x i64> %a125, <2 x i64> %b125)
  %at125 = getelementptr i64, ptr %out, i64 239
  store <2 x i64> %r125, ptr %at125, align 8
  %a126 = bitcast i128 -168814571895523186896598069738307846145 to <2 x i64>
  %b126 = bitcast i128 170141183420855150474555134925571325696 to <2 x i64>
  %r126 = call <2 x i64> @or_64(<2 x i64> %a126, <2 x i64> %b126)
  %at126 = getelementptr i64, ptr %out, i64 241
  store <2 x i64> %r126, ptr %at126, align 8
  %a127 = bitcast i128 1339673755198158349044581307228491536 to <2 x i64>
  %b127 = bitcast i128 1344784922708420783992749587732238097 to <2 x i64>
  %r127 = call <2 x i64> @xor_64(<2 x i64> %a127, <2 x i64> %b127)
  %at127 = getelementptr i64, ptr %out, i64 243
  store <2 x i64> %r127, ptr %at127, align 8
  %a128 = bitcast i128 -1 to <2 x i64>
  %b128 = bitcast i128 -170138587351654045556558463195076886527 to <2 x i64>
  %r128 = call <2 x i64> @xor_64(<2 x i64> %a128, <2 x i64> %b128)
  %at128 = getelementptr i64, ptr %out, i64 245
  store <2 x i64> %r128, ptr %at128, align 8
  %a129 = bitcast i128 -168814571895523186896598069738307846145 to <2 x i64>
  %b129 = bitcast i128 170141183420855150474555134925571325696 to <2 x i64>
  %r129 = call <2 x i64> @xor_64(<2 x i64> %a129, <2 x i64> %b129)
  %at129 = getelementptr i64, ptr %out, i64 247
  store <2 x i64> %r129, ptr %at129, align 8
  ret i64 249
}
