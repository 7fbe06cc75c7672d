import numpy as np
class Conv3D:
    def __init__(self, in_c, out_c, kd, kh, kw, stride_d=1, stride_h=1, stride_w=1, pad_d=0, pad_h=0, pad_w=0):
        self.kd, self.kh, self.kw = kd, kh, kw
        self.sd, self.sh, self.sw = stride_d, stride_h, stride_w
        self.pd, self.ph, self.pw = pad_d, pad_h, pad_w
        self.W = np.random.randn(out_c, in_c, kd, kh, kw); self.b = np.zeros((out_c, 1))
    def forward(self, X):
        self.X = X
        self.Xp = np.pad(X, ((0,0),(0,0),(self.pd,)*2,(self.ph,)*2,(self.pw,)*2))
        V = np.lib.stride_tricks.sliding_window_view(self.Xp, (self.kd,self.kh,self.kw), (2,3,4))
        self.V = V[:, :, ::self.sd, ::self.sh, ::self.sw]
        return np.einsum('ncdhwijk,fcijk->nfdhw', self.V, self.W) + self.b.reshape(1,-1,1,1,1)
    def backward(self, dZ):
        self.dW = np.einsum('ncdhwijk,nfdhw->fcijk', self.V, dZ)
        self.db = dZ.sum((0,2,3,4)).reshape(-1,1)
        dXp = np.zeros_like(self.Xp)
        N,F,D,H,W = dZ.shape
        for i in range(self.kd):
            for j in range(self.kh):
                for k in range(self.kw):
                    dXp[:,:,i:i+self.sd*D:self.sd,j:j+self.sh*H:self.sh,k:k+self.sw*W:self.sw] += np.einsum('nfdhw,fc->ncdhw', dZ, self.W[:,:,i,j,k])
        _,_,D,H,W = self.X.shape
        return dXp[:,:,self.pd:self.pd+D,self.ph:self.ph+H,self.pw:self.pw+W]
