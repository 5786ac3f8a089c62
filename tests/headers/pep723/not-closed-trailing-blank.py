# /// script
# dependencies = ["rich"]
# /// 
