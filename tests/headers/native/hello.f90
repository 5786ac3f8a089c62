! conda execute
! env:
!  - gfortran
! run_with: sh
program hello
end program
