def write(*a): 
    import json; print(json.dumps(a[0]["failures"],indent=1))
def text(d): return ""
