dnl conda execute
dnl env: [m4]
dnl run_with: m4
dnlx
