#!/usr/bin/env node
// conda execute
// env:
//   - nodejs >=18
//// a note: [
// // another: [
// # a third: [
// run_with: [node, --stack-size=2000]

console.log("hello");
